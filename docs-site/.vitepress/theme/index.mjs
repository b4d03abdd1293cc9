import DefaultTheme from 'vitepress/theme';
import './schemes.css';

export default DefaultTheme;
